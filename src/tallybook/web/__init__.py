"""The pages, components and the JavaScript client, as static files. No Python but this line."""

"""The HTTP server: REST, ingest, live feed and pages in one process."""

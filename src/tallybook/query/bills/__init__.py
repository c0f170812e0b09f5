"""What providers say they billed: their usage and cost exports, read into one shape. One file a provider."""

"""The embedded `CallStore`: journal lines and Parquet files by day, read by DuckDB."""

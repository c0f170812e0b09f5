"""OTLP read and answered: bytes of protobuf or JSON in, spans and log records out. `dialects` says what they mean."""

"""What others' telemetry means: one file a convention, each a pure function to calls, steps and contents."""

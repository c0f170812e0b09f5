"""When telemetry itself fails: what is noticed, told once per episode, and taken back when it is over."""

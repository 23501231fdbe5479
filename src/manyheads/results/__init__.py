"""What runs left on disk becomes differences, intervals and verdicts."""

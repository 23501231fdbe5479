"""What is read from records and models after training."""

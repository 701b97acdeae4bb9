"""What the exercises of notebook 07 ask, and the wrong answers that people give to them."""

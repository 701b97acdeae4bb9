"""What the exercises of notebook 05 ask, and the wrong answers that people give to them."""

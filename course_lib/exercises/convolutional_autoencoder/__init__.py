"""What the exercises of notebook 02 ask, and the wrong answers that people give to them."""

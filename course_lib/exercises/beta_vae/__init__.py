"""What the exercises of notebook 04 ask, and the wrong answers that people give to them."""

"""What the exercises of notebook 03 ask, and the wrong answers that people give to them."""

"""What the exercises of notebook 01 ask, and the wrong answers that people give to them."""

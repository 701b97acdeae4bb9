"""What the exercises of notebook 06 ask, and the wrong answers that people give to them."""

"""The exercises of notebook 06."""

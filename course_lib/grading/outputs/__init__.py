"""What a cell printed and showed, as HTML that does nothing."""

"""What a run leaves to read: the table, the page of each student, the page of the class."""

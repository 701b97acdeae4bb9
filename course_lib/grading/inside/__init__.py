"""What runs in the sandbox beside the student's code: it only reports, and judges nothing."""

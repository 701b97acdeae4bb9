"""Points in the form that Canvas, Moodle and Gradescope take."""

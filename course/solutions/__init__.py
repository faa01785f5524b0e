"""One answer to each exercise, under the name that the notebook gives it; a file for each notebook."""

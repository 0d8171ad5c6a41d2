"""Is a data set fit to be trained on? Every file is looked at and graded with a reason; nothing is skipped silently."""

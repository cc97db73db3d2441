"""What is run for each sentence: a command of the user's."""

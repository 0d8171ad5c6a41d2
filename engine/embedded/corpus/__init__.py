"""The synthetic world that the embedded avatar is taught in: faces, motion, speech with known mouth shapes, prompts.

Everything that moves is a function of the speech and of the prompt's emotion alone, so that nothing has to be guessed.
"""

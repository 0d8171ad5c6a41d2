"""How good the embedded avatar is, in numbers that can fail: each measure comes with controls that it must reject.

The small networks here are judges, trained on renders alone; they are no part of the avatar and never see its training.
"""

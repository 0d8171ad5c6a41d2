"""Which of two adapters is better, measured: the same questions to both, answers judged by measures that can fail.

A measure counts only where it has just told right from wrong on the videos at hand; otherwise it abstains.
"""

"""Training of adapters on any diffusion transformer of this engine, small or large: one code, one way.

Pictures, speeches and prompts go in; a folder that holds to the contract of a version comes out.
"""

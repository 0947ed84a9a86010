"""Changes of known size in real recordings, to measure what detection finds of them.

Pure: envelopes in, envelopes out, and a seed; reading and writing files is the command's part.
"""

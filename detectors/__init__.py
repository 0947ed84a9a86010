"""Online models of what is usual for one person, and the policy that makes alerts of them.

They know feature rows and nothing else of Wakeline: no I/O, no clock, no chance.
"""

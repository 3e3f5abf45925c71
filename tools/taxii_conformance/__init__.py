"""Does a server speak TAXII 2.1? One check for each number of a checklist (T1…T82 of the standard, R1…R12 of what clients in the field do).

Python 3 and its standard library only. Entry: main.py; the checks are in checks_*.py, one function for each number.
"""

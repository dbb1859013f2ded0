"""The report as one page.

In: a workspace. Out: an HTML document that needs nothing else, and a PDF of it by a browser.
"""

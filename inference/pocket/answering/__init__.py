"""Answers about pictures, put into words from what was found in them.

A question's kind is told by its wording; what it asks for is looked up among the facts. What no
fact answers is said in one honest sentence. What is not about a picture goes to the language model.
"""

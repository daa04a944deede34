"""Certificates.

authority: (who, now) ──► CA, leaf (PEM) ──► whoever serves TLS
"""

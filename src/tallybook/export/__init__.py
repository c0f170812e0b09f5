"""Calls and reports in other programs' formats. Everything streams; no whole result is ever held."""

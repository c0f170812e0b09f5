"""A local double of the model providers, for tests and trials. Its public face is `tallybook.testing`.

It speaks the wire formats of OpenAI, Anthropic and Gemini, whole and streamed, with answers and
usage figures written here: equal requests get equal answers. It knows nothing of the ledger, so that
what it says can be held against what the ledger understood. It binds to 127.0.0.1 only.
"""

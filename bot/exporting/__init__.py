"""What the operator takes out of the store: rated answers, a thread, who changed which setting."""

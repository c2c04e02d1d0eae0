"""The engine files: what each must take and give, and the manifest that proves which file is which."""

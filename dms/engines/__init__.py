"""The engine files: what each must take and give, the manifest that proves a file is the one it claims to be."""

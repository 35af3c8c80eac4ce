"""The pages: the inbox and a ticket (desk), what is done on it (acts), its files (files), the public form (submit)."""

"""Every graph in every precision: what each costs and is worth."""

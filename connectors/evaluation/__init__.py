"""How what detection said fits to what is known to have happened, and how much work it makes."""

"""What detection is worth, measured on LifeSnaps with changes of known size: ``make evidence``."""

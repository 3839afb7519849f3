"""Labels and models in the forms in which others take them, each with a card that says what it is."""

"""From the desk to the phone: torch modules and objectives -> inference graphs -> the bundle that the app ships."""

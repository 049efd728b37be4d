"""What the page shows as it changes: one producer asks the stores once for all subscribers, a hub hands it on."""

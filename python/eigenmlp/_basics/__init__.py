"""What every other room may use: how a value is shown in a message, who reads when."""

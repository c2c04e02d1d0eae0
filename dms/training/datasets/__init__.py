"""What the nets learn from: the data pack, folders of your own, simulated faces; as tables and pictures."""

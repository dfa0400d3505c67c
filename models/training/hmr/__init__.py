"""The regressor of crops: rendered views, training, and the converter of published 4D-Humans weights."""

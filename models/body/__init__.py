"""The SMPL body: its model, shapes, kinematics, contacts, and tracks of people who wear it."""

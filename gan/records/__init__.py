"""What a stage writes to a JSON file in reports/ and another reads, as dataclasses: the file's keys are the fields."""

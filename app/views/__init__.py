"""The pages, one file each: get the context, ask one library function, show the result."""

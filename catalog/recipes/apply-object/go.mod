module apply-object

go 1.26.0

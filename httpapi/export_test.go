package httpapi

// Routes returns the method and path of each line of the table.
func Routes() [][2]string {
	var all [][2]string
	for _, r := range (&API{}).table() {
		all = append(all, [2]string{r.method, r.path})
	}
	return all
}

// Decodes dashboards by the types that Grafana publishes for them, strictly: an unknown field, a missing one or a value that no
// such field can have is an error. That goes for the options of panels and for queries, too.
//
//	dashboard FILE...
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	status := 0
	for _, file := range os.Args[1:] {
		if err := judge(file); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
			status = 1
		}
	}
	os.Exit(status)
}

func judge(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := unlessEmpty(new(dashboard.Dashboard).UnmarshalJSONStrict(text)); err != nil {
		return err
	}
	// For the same reason queries and options get lost on that way: this one has them.
	var decoded dashboard.Dashboard
	var raw struct {
		Panels []struct{ FieldConfig json.RawMessage }
	}
	if err := errors.Join(json.Unmarshal(text, &decoded), json.Unmarshal(text, &raw)); err != nil {
		return err
	}
	for i, item := range decoded.Panels {
		if item.Panel == nil {
			continue
		}
		// The one part that is not decoded strictly with the panel.
		if err := unlessEmpty(new(dashboard.FieldConfigSource).UnmarshalJSONStrict(raw.Panels[i].FieldConfig)); err != nil {
			return fmt.Errorf("panels[%d].fieldConfig: %w", i, err)
		}
		// What no type is known for would have been taken as it is.
		if _, known := cog.ConfigForPanelcfgVariant(item.Panel.Type); !known {
			return fmt.Errorf("no such kind of panel: %s", item.Panel.Type)
		}
		for _, query := range item.Panel.Targets {
			if query.DataqueryType() != "prometheus" {
				return fmt.Errorf("panel %d has a query that is not for Prometheus", *item.Panel.Id)
			}
		}
	}
	return decoded.Validate()
}

// UnmarshalJSONStrict returns an empty list of errors where all is well, which Go takes for an error.
func unlessEmpty(err error) error {
	var found cog.BuildErrors
	if errors.As(err, &found) && len(found) == 0 {
		return nil
	}
	return err
}
